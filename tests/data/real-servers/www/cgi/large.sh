# More than a pipe holds: it has not ended when its first bytes are read.
printf 'Content-Type: application/x-pieces\r\n\r\n'
cat ../data.bin
