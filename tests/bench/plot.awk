# SPDX-License-Identifier: GPL-2.0-or-later
#
# plot.awk - an SVG of the drop rates
#
# Lines "SIZE FILTER NS SHARE", with tabs between: a panel for each size, in it a
# bar for each filter, as long as its share of bare XDP_DROP, beside it the rate
# that it comes to. One colour stands out: ours.

BEGIN {
	FS = "\t"
	left = 110; bar_height = 16; gap = 6; full = 460; head = 30; foot = 24
}

{
	if (!($1 in count))
		size[++sizes] = $1
	i = ++count[$1]
	filter[$1, i] = $2
	ns[$1, i] = $3
	share[$1, i] = $4
	rows++
}

function size_name(number) {
	if (number >= 1048576)
		return int(number / 1048576) " M"
	return number >= 1024 ? int(number / 1024) " k" : number == 1000 ? "1 k" : number
}

# The fastest first.
function sort_panel(name, i, j, swap) {
	for (i = 1; i < count[name]; i++)
		for (j = 1; j <= count[name] - i; j++)
			if (share[name, j] < share[name, j + 1]) {
				swap = share[name, j]; share[name, j] = share[name, j + 1]; share[name, j + 1] = swap
				swap = ns[name, j]; ns[name, j] = ns[name, j + 1]; ns[name, j + 1] = swap
				swap = filter[name, j]; filter[name, j] = filter[name, j + 1]; filter[name, j + 1] = swap
			}
}

function bar(y, name, i, width) {
	width = full * share[name, i]
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", left - 8, y + 12, filter[name, i]
	printf "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", left, y, width,
		bar_height, filter[name, i] ~ /^repgate/ ? "#c2410c" : filter[name, i] == "bare" ? "#64748b" : "#94a3b8"
	printf "<text x=\"%.1f\" y=\"%d\">%.2f Mpps, %.0f %%</text>\n", left + width + 6, y + 12,
		1000 / ns[name, i], 100 * share[name, i]
}

END {
	height = rows * (bar_height + gap) + sizes * head + foot + 30
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#1e293b\">\n", height
	printf "<rect width=\"720\" height=\"%d\" fill=\"#ffffff\"/>\n", height
	print "<text x=\"8\" y=\"20\" font-size=\"14\" font-weight=\"bold\">SYN flood from listed sources, one core: share of bare XDP_DROP</text>"
	y = 30
	for (s = 1; s <= sizes; s++) {
		sort_panel(size[s])
		printf "<text x=\"8\" y=\"%d\" font-weight=\"bold\">%s listed hosts</text>\n", y + 20, size_name(size[s])
		y += head
		for (i = 1; i <= count[size[s]]; i++) {
			bar(y, size[s], i)
			y += bar_height + gap
		}
	}
	printf "<text x=\"8\" y=\"%d\" fill=\"#64748b\">veth, each source equally likely, medians; the rate is the inverse of CPU time a packet</text>\n", y + 16
	print "</svg>"
}
