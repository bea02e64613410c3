"""What could go: proposed, certified, reviewed by the owner, and told to plugins."""
