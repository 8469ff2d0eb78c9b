package regress

import "math"

// solveCholesky solves a·x = b for the symmetric p × p matrix a, of which the lower triangle is
// given. It works in place: b becomes x. It reports false when a is not positive definite.
func solveCholesky(a, b []float64, p int) bool {
	for j := range p {
		for k := range j {
			ljk := a[j*p+k]
			for i := j; i < p; i++ {
				a[i*p+j] -= a[i*p+k] * ljk
			}
		}
		d := a[j*p+j]
		if !(d > 0) || math.IsInf(d, 0) {
			return false
		}
		d = math.Sqrt(d)
		for i := j; i < p; i++ {
			a[i*p+j] /= d
		}
	}
	for i := range p {
		for k := range i {
			b[i] -= a[i*p+k] * b[k]
		}
		b[i] /= a[i*p+i]
	}
	for i := p - 1; i >= 0; i-- {
		for k := i + 1; k < p; k++ {
			b[i] -= a[k*p+i] * b[k]
		}
		b[i] /= a[i*p+i]
	}
	return true
}
