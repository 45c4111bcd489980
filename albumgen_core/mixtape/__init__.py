"""An evening as one MP3 with chapters.

An event loop awaits `task.make_mixtape_in_child`; `tape.make_mixtape` does the work and loads scipy, so only
the child imports it. The types of both are in `values`.
"""
