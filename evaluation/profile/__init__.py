"""What a pair of models needs, learned from problems with known answers: ``epf tune`` writes it as a profile."""
