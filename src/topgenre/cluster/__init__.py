"""Scan a library on a Ray cluster; needs the extra `ray`."""
