"""Scan a library on a Ray cluster; needs the extra `ray`.

`listing` finds the music in folders and buckets, `store` keeps the folder of Parquet files, and
`pipeline` classifies the rest.
"""
