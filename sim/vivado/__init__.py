"""Stand-ins of the vendor's tools: they run the scripts under `tclsh`, record, and judge what was built.

They know commands, options, properties, IPs and their pins from the vendor's documents, not from the code
that writes the scripts; what they do not know is an error. Nothing is synthesised.
"""
