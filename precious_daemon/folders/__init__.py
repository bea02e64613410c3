"""The watched folders against the library: what is new there, moved and gone; photos are read, and looked after."""
