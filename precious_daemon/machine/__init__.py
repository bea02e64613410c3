"""What the operating system gives and asks for: memory, signals, limits, what a service is told. Nothing of a library."""
