//! Two spellings of one name.
