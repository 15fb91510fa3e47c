"""Small dense designs in; coefficients of penalised logits and covariances by cluster out."""
