"""A small library of example pictures."""
