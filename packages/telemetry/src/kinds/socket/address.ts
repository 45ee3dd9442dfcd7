/** Addresses as text. */

export { endpointText, ipv4Text, ipv6Text, isIpv4, plainIp, swap16 } from '../../names/address.js'
