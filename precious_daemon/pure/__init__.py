"""Values in, values out: no file, no clock, no database. What is decided here can be tested by properties."""
