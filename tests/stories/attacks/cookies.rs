//! Cookies and paths that can be read two ways.
