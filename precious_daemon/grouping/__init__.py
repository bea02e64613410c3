"""What belongs together: copies, edits, bursts, scenes and clusters, found in a process of its own."""
