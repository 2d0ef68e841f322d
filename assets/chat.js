// The chat window.
