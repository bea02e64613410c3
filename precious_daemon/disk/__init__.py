"""The disk as it is: what is in a folder, what changes in it, and the log of what was done to it."""
