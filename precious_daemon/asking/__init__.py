"""What the owner is asked, and what becomes of the answers."""
