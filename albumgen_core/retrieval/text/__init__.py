"""What a cover says in words: lines read by OCR, and the artists and albums they may name."""
