package sqlpage

// CachedStatements is the number of statements that a source keeps.
func CachedStatements[T any](s *Source[T]) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.cache)
}
