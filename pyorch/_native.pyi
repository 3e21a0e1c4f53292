"""
Native stages of the tick path; each has a Python twin that defines it.
"""
