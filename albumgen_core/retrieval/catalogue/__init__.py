"""Artists and albums with measured attributes, without pictures: what a name on a cover is looked up in."""
