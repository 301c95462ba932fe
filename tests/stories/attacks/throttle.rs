//! Guesses, delays and busy stores at the real doors.
