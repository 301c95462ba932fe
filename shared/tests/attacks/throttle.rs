//! Strangers who keep the owner out, and writes that hold the store for long.
