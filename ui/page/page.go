// Package page puts the parts together to the one document that the hub shows.
//
// The document names its style and scripts by hashed address and holds no
// inline code of either kind, so that the strictest Content-Security-Policy
// lets it live.
package page
