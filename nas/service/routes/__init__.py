"""The API's resources: one file each, found by name; it exports `router`, whose paths lie below /api/v1, or below its
own `BELOW`.
"""
