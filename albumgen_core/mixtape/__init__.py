"""An evening as one MP3 with chapters.

`aside.make_mixtape_aside` is what an event loop awaits; `tape.make_mixtape` does the work and loads scipy, so
only the child imports it. What both speak of is in `values`.
"""
