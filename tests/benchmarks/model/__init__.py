"""How fast the shipped model scores and explains, beside scikit-learn and shap: ``make bench-model``."""
