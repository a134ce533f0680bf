"""`matinee demo`: the whole loop on one machine, stage by stage, with a summary that can be checked.

Nothing is imported here, so that commands which only need the processes (`matinee up`) do not pay for Dagster.
"""
