"""The evaluation before the policy: what draws to come would find by the inference that will be used."""
