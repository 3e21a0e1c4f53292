# Commands of the vendor's tools, each passed on to the model that answers it: words as hexadecimal digits.
namespace eval ::stand_in {
    variable questions [open /dev/fd/$::env(STAND_IN_QUESTIONS) w]
    variable answers [open /dev/fd/$::env(STAND_IN_ANSWERS) r]
    fconfigure $questions -buffering line

    proc ask {name args} {
        variable questions
        variable answers
        set words {}
        foreach word [linsert $args 0 [pwd] $name] {
            lappend words [binary encode hex [encoding convertto utf-8 $word]]
        }
        puts $questions [join $words ,]
        lassign [split [gets $answers] ,] outcome digits
        set text [encoding convertfrom utf-8 [binary decode hex $digits]]
        if {$outcome ne "ok"} {
            return -code error $text
        }
        return $text
    }
}
foreach name [split $::env(STAND_IN_COMMANDS) ,] {
    set namespace [namespace qualifiers $name]
    if {$namespace ne ""} {
        namespace eval ::$namespace {}
    }
    interp alias {} ::$name {} ::stand_in::ask $name
}
unset name namespace
foreach name {exec socket} {
    rename $name {}
}
set argv0 [lindex $argv 0]
set argv [lrange $argv 1 end]
set argc [llength $argv]
if {[catch {source $argv0} message options]} {
    puts stderr "ERROR: $message"
    puts stderr [dict get $options -errorinfo]
    exit 1
}
