"""What a pair of models needs: options of ``epf`` and a confidence map, learned by ``epf tune`` and kept in one file."""
