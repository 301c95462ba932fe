//! Strangers who take places, workers or memory from the owner.
