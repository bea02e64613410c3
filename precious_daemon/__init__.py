"""A background service that keeps a photo library worth looking at, without ever risking a photo."""

__version__ = "0.1.0"
