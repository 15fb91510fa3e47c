"""An estimate and its estimator in; placebos, jackknives and bootstraps of it out, as arrays."""
