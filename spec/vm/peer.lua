print "peer"
