//! What clients meet behind the samples for nginx, Traefik and sshd.
