//! The world's own behaviour: what real engines showed, and one story from alert to verdict.
