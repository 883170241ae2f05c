// Package tides predicts the height of the sea at Wendmouth.
package tides

import (
	"math"
	"time"
)

// Constituent is one wave of the tide: how high it is, how long it takes, and when it is highest.
type Constituent struct {
	Name      string
	Amplitude float64 // metres
	Period    float64 // hours
	Phase     float64 // hours after the epoch at which the wave is highest
}

// MeanLevel is the height of the sea above the chart datum when nothing pulls at it.
const MeanLevel = 3.42

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Constituents are fitted to the record of the gauge from 1974 to 2024.
var Constituents = []Constituent{
	{"M2", 1.87, 12.4206, 4.31},
	{"S2", 0.61, 12.0000, 6.02},
	{"N2", 0.35, 12.6583, 3.77},
	{"K1", 0.08, 23.9345, 9.15},
}

// HeightAt returns the predicted height of the sea in metres above the chart datum.
func HeightAt(moment time.Time) float64 {
	hours := moment.Sub(epoch).Hours()
	height := MeanLevel
	for _, wave := range Constituents {
		height += wave.Amplitude * math.Cos(2*math.Pi*(hours-wave.Phase)/wave.Period)
	}
	return height
}

// GatesMayOpen says whether a ship of this draught may pass the lock: one metre of water has to stay below it.
func GatesMayOpen(draught float64, moment time.Time) bool {
	return HeightAt(moment) >= draught+1
}
