//! Stories: what a person does, told against the real servers.
