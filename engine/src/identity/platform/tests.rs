//! What a JWT of the platform must say, and what no word in it brings about.
