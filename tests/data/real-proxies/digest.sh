# Tells squid the hash of "ada:proxy.test:s3cret".
while read -r asked; do
    case $asked in
    '"ada":'*) echo 'OK ha1="8f2e152683670017e78e09c38420456f"' ;;
    *) echo ERR ;;
    esac
done
