# What bench/results.svg looks like; bench/plot.lua gives the data.
ours(list, i) = word(list, 2 * i + 1) eq "bsdsocket"
panel = 74 * rows    # pixels of the ratios
curve = words(curves) > 0 ? 420 : 0 # of the curve below
height = panel + curve + 130
set terminal svg size 960,height enhanced background "#ffffff" font "sans-serif,15"
set multiplot
set border lc rgb "#888888"
set tics textcolor rgb "#222222"

set label 1 "{/:Bold Speed, where C's is 1.0: further to the right is faster}" at screen 0.02, 1 - 24.0 / height
set label 2 caption."; bars: 90 % intervals; grey: C against itself; | goal of bsdsocket" \
  at screen 0.02, 1 - 46.0 / height font ",12" textcolor rgb "#555555"
set lmargin at screen 0.38
set rmargin at screen 0.97
set tmargin at screen 1 - 100.0 / height
set bmargin at screen (curve + 40.0) / height
set key at screen 0.97, 1 - 72.0 / height right maxrows 1 samplen 1 font ",13" width -1
set xrange [0:1.2]
set yrange [rows - 0.5:-0.5]
set xtics 0, 0.1, 1.2 scale 0.5 format "%.1f"
set ytics scale 0 font ",13"
set grid xtics lc rgb "#e4e4e4" lt 1
set for [i = 1:rows - 1] arrow from graph 0, first i - 0.5 to graph 1, first i - 0.5 nohead lc rgb "#cccccc" back
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#000000" lw 1 back
plot $spread using (0):3:1:2:($3 - 0.44):($3 + 0.44) with boxxyerror fs solid 1 noborder lc rgb "#dddddd" notitle, \
  $goals using 1:2:(0):(0.42) with vectors nohead lc rgb "#000000" lw 2 notitle, \
  $goals using 1:2:(0):(-0.42) with vectors nohead lc rgb "#000000" lw 2 notitle, \
  for [i = 0:words(points) / 2 - 1] $points index i using 1:4:2:3 with xerrorbars \
    lc rgb word(points, 2 * i + 2) lw (ours(points, i) ? 2 : 1) pt 7 ps (ours(points, i) ? 0.8 : 0.5) \
    title word(points, 2 * i + 1)

if (words(curves) == 0) { unset multiplot; exit }
unset label
unset arrow
unset grid
set label 1 "{/:Bold What a request costs an echo server, in processor time}" at screen 0.02, (curve - 14.0) / height
set lmargin at screen 0.09
set rmargin at screen 0.80
set tmargin at screen (curve - 50.0) / height
set bmargin at screen 62.0 / height
set key at screen 0.98, (curve - 50.0) / height right top maxrows 10 font ",13" width 0 reverse Left
set logscale x
set xrange [80:12500]
set yrange [0:*]
set xtics (100, 300, 1000, 3000, 10000) format "%.0f" scale 0.5
set ytics auto scale 0.5 font ",13"
set grid xtics ytics lc rgb "#e4e4e4" lt 1
set xlabel "connections" font ",13"
set ylabel "microseconds" font ",13"
plot for [i = 0:words(curves) / 2 - 1] $curves index i using 1:2:3:4 with yerrorlines \
  lc rgb word(curves, 2 * i + 2) lw (ours(curves, i) ? 2 : 1) pt 7 ps 0.5 title word(curves, 2 * i + 1)
unset multiplot
