"""What each packet looks like in each format: a module for each group of packets.

`TABLES` in every module maps the format's year to the packet's table.
"""
