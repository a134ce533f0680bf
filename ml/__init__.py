"""Models: frames and arrays in, frames and frozen dataclasses out.

Nothing is imported here, so that every door stays light.
"""
