"""One picture: its bytes to pixels, numbers and facts. In reading processes, where a hostile file can do no harm."""
