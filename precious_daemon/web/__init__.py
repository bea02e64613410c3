"""The owner's pages and their JSON: aiohttp handlers, Jinja templates, small scripts, nothing from elsewhere."""

from precious_daemon.web.app import Site, make_app, serve
from precious_daemon.web.keys import LOGIN, Address
from precious_daemon.web.login import LoginKey

__all__ = ["LOGIN", "Address", "LoginKey", "Site", "make_app", "serve"]
