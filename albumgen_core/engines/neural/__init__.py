"""The neural family: CLIP, InternVL2 and MusicGen. Importing this package loads none of them."""
