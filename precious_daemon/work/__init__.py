"""Work for other processes: a folder with what they need, started, followed, stopped."""
