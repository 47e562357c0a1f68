"""The ground that robots walk on: pieces with known tops, height maps from a seed, one raster to look heights up."""
